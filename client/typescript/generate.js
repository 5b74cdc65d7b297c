// Makes src/schema.gen.ts and src/operations.gen.ts of the contract: `make generate`.
import {readFileSync, writeFileSync} from 'node:fs';
import openapiTS, {astToString} from 'openapi-typescript';
import ts from 'typescript';
import {parse} from 'yaml';

const contract = parse(readFileSync(new URL('../../api/openapi.yaml', import.meta.url), 'utf8'));
const mark = '// Made of api/openapi.yaml by `make generate`. Do not edit.\n\n';
const resolve = (part) => part.$ref ? part.$ref.split('/').slice(1).reduce((at, name) => at[name], contract) : part;
const nameOf = (schema) => schema.$ref.split('/').at(-1);
const upper = (name) => name[0].toUpperCase() + name.slice(1);

const schemas = contract.components.schemas;
const methods = [];
for (const [path, operations] of Object.entries(contract.paths)) {
  for (const [verb, operation] of Object.entries(operations)) {
    if (!operation.deprecated) methods.push(...methodsOf(path, verb, operation));
  }
}

/** The methods of one operation: its own, and one that reads all of a list. */
function methodsOf(path, verb, operation) {
  const {operationId, summary, description} = operation;
  const parameters = (operation.parameters ?? []).map(resolve);
  const query = parameters.filter((p) => p.in === 'query');
  const id = parameters.find((p) => p.in === 'path')?.name;
  const once = parameters.some((p) => p.name === 'Idempotency-Key');
  const media = resolve(operation.responses['200'] ?? operation.responses['201']).content['application/json'];
  const answer = media && nameOf(media.schema);
  const body = operation.requestBody?.content['application/json'].schema;

  const takes = [], gives = [`method: '${verb.toUpperCase()}'`, `path: '${path}'`];
  if (id) { takes.push(`${id}: string`); gives.push(`id: ${id}`); }
  if (body) { takes.push(`body: ${nameOf(body)}${operation.requestBody.required ? '' : ' = {}'}`); gives.push('body'); }
  if (query.length) {
    const name = `${upper(operationId)}Query`;
    schemas[name] = {type: 'object', properties: Object.fromEntries(query.map((p) => [p.name, {...p.schema, description: p.description}]))};
    takes.push(`query: ${name} = {}`);
    gives.push('query');
  }
  if (once) gives.push('once: true');
  const comment = [`${summary}: ${verb.toUpperCase()} ${path}.`, ...(description ?? '').trim().split('\n')].filter((line, i) => i === 0 || line).join('\n   * ').replaceAll('*/', '* /');
  const options = once ? 'CallOptions' : 'ReadOptions';
  const method = `  /** ${comment} */
  ${operationId}(${[...takes, `options: ${options} = {}`].join(', ')}): Promise<${answer ?? 'Uint8Array'}> {
    return this.${answer ? 'send' : 'sendRaw'}({${gives.join(', ')}}, options);
  }
`;
  const item = answer && schemas[answer].properties.data?.items;
  if (!item) return [method];
  const passed = [id, '{...query, ...at}', 'options'].filter(Boolean).join(', ');
  return [method, `  /** Reads what {@link ${operationId}} does, page after page. */
  ${operationId.replace('list', 'all')}(${[...takes, `options: ${options} = {}`].join(', ')}): AsyncGenerator<${nameOf(item)}, void, undefined> {
    return pages((at) => this.${operationId}(${passed}));
  }
`];
}

// A word of a growing list may be any text; editors still offer the known ones.
const types = await openapiTS(JSON.stringify({openapi: contract.openapi, info: contract.info, paths: {}, components: {schemas}}), {
  rootTypes: true, rootTypesNoSchemaPrefix: true,
  transform(schema) {
    const known = schema['x-extensible-enum'];
    if (!known) return undefined;
    const literal = (word) => ts.factory.createLiteralTypeNode(ts.factory.createStringLiteral(word));
    const any = ts.factory.createIntersectionTypeNode([ts.factory.createKeywordTypeNode(ts.SyntaxKind.StringKeyword), ts.factory.createTypeLiteralNode([])]);
    const empty = schema.nullable ? [ts.factory.createLiteralTypeNode(ts.factory.createNull())] : [];
    return ts.factory.createUnionTypeNode([...known.map(literal), any, ...empty]);
  },
});
const source = astToString(types);
writeFileSync(new URL('src/schema.gen.ts', import.meta.url), mark + source);

const exported = new Set([...source.matchAll(/^export type (\w+) = components/gm)].map((m) => m[1]));
const text = methods.join('\n');
const used = [...exported].filter((name) => new RegExp(`\\b${name}\\b`).test(text.replace(/\/\*\*[^]*?\*\//g, '')));
writeFileSync(new URL('src/operations.gen.ts', import.meta.url), `${mark}import {Caller, pages, type CallOptions, type ReadOptions} from './caller.js';
import type {${used.join(', ')}} from './schema.gen.js';

/** A method for each call of the contract, and one more for each list, which reads all its pages. */
export class Operations extends Caller {
${text}}
`);
