import assert from 'node:assert/strict';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {test} from 'node:test';
import {NoAnswerError, Payrelay, PayrelayError} from '@payrelay/client';

/** @typedef {(response: import('node:http').ServerResponse) => void} Answer */

/** A client that notes its pauses and makes none. */
class Hurried extends Payrelay {
  /** @type {number[]} */
  pauses = [];
  /** @override @param {number} seconds @param {AbortSignal} [signal] */
  async pause(seconds, signal) {
    this.pauses.push(seconds);
    signal?.throwIfAborted();
  }
}

/**
 * Answers each request by the next of answers, and by the last from then on.
 * @param {import('node:test').TestContext} t @param {Answer[]} answers @param {import('@payrelay/client').Settings} [settings]
 */
async function start(t, answers, settings) {
  /** @type {{uri: string | undefined, key: unknown, authorization: string | undefined, body: string}[]} */
  const arrived = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    arrived.push({uri: request.url, key: request.headers['idempotency-key'], authorization: request.headers.authorization, body});
    /** @type {Answer} */ (answers[Math.min(arrived.length, answers.length) - 1])(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  const {port} = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {arrived, client: new Hurried(`http://127.0.0.1:${port}/`, 'prk_test', settings)};
}

/** @param {number} status @param {string} body @param {Record<string, string>} [headers] @returns {Answer} */
const answers = (status, body, headers) => (response) => { response.writeHead(status, headers).end(body); };
/** @param {number} status @param {string} code @param {string} [retryAfter] */
const problem = (status, code, retryAfter) => answers(status,
  JSON.stringify({status, code, detail: 'd', request_id: 'r-1', errors: [{field: 'customer.email', message: 'm'}]}), retryAfter ? {'Retry-After': retryAfter} : {});
/** @type {Answer} */
const hangUp = (response) => { response.destroy(); };
const paid = answers(201, '{"id":"o-1","status":"succeeded","added_later":{}}');
const request = {reference: 'a', amount: 1, currency: 'EUR'};

test('one key for all tries of a call', async (t) => {
  const {arrived, client} = await start(t, [hangUp, problem(409, 'idempotency_in_progress', '1'), answers(502, '<html>'), paid]);
  assert.equal((await client.createPayment(request)).id, 'o-1');
  const [first] = arrived;
  assert.ok(first.key);
  assert.equal(first.authorization, 'Bearer prk_test');
  assert.deepEqual(arrived, [first, first, first, first]);
  await client.createPayment(request);
  assert.notEqual(arrived[4].key, first.key, 'another call has another key');
  await client.createPayment(request, {idempotencyKey: 'mine'});
  assert.equal(arrived[5].key, 'mine');
});

for (const [name, answer, tries] of /** @type {[string, Answer, number][]} */ ([
  ['no answer', hangUp, 4],
  ['a slow body', problem(408, 'request_timeout'), 4],
  ['rate', problem(429, 'rate_limited', '2'), 4],
  ['overload', problem(503, 'service_unavailable'), 4],
  ['provider', problem(502, 'provider_unavailable'), 4],
  ['fault', problem(500, 'internal_error'), 4],
  ['a later code of 503', problem(503, 'added_later'), 4],
  ['refund', problem(409, 'refund_in_progress', '2'), 4],
  ['proxy', answers(504, '<html>'), 4],
  ['wait of an hour', problem(503, 'provider_unavailable', '3600'), 1],
  ['declined cards', problem(429, 'velocity_exceeded', '1'), 1],
  ['approval', problem(409, 'approval_pending', '1'), 1],
  ['invalid', problem(422, 'invalid_request'), 1],
  ['conflict', problem(409, 'reference_conflict'), 1],
  ['not payrelay', answers(500, '<html>'), 1],
  ['redirect', answers(302, '', {Location: 'https://elsewhere.example/'}), 1],
])) {
  test(`what is sent again: ${name}`, async (t) => {
    const {arrived, client} = await start(t, [answer]);
    await assert.rejects(client.createPayment(request));
    assert.equal(arrived.length, tries);
    await assert.rejects(client.previewPayment(request));
    assert.equal(arrived.length, tries + 1, 'it takes no Idempotency-Key, so it is sent once');
    assert.equal(arrived[tries].key, undefined);
  });
}

test('pauses grow and honour Retry-After', async (t) => {
  const at = new Date(Date.now() + 9000).toUTCString();
  const {client} = await start(t, [hangUp, problem(503, 'service_unavailable', '7'), problem(503, 'service_unavailable', at), paid]);
  await client.createPayment(request);
  [[0.25, 0.5], [7.5, 8], [8, 11]].forEach(([from, to], i) => assert.ok(client.pauses[i] >= from && client.pauses[i] <= to, `${client.pauses}`));
});

test('an error has the problem', async (t) => {
  const {client} = await start(t, [problem(429, 'velocity_exceeded', '90'), answers(500, '<html>', {'X-Request-Id': 'r-2'}), hangUp], {retries: 0});
  await assert.rejects(client.createPayment(request), (error) => {
    assert.ok(error instanceof PayrelayError);
    assert.deepEqual([error.status, error.code, error.requestId, error.retryAfter, error.errors[0]?.field], [429, 'velocity_exceeded', 'r-1', 90, 'customer.email']);
    assert.equal(error.message, 'POST /v1/payments: 429 velocity_exceeded: d (request r-1)');
    return true;
  });
  await assert.rejects(client.createPayment(request), {name: 'PayrelayError', status: 500, code: '', requestId: 'r-2'});
  await assert.rejects(client.createPayment(request), (error) => error instanceof NoAnswerError && error.cause instanceof Error);
});

test('a call ends with its signal, and each try has its time', async (t) => {
  const given = new AbortController();
  const {arrived, client} = await start(t, [() => given.abort()]);
  await assert.rejects(client.getOrder('o-1', {signal: given.signal}), {name: 'AbortError'});
  assert.equal(arrived.length, 1);
  const slow = (await start(t, [() => {}], {timeout: 20, retries: 1})).client;
  await assert.rejects(slow.getOrder('o-1'), {name: 'NoAnswerError', message: 'GET /v1/orders/{id}: no answer: no answer in 20 ms'});
  assert.equal(slow.pauses.length, 1);
});

test('a list is read to its end', async (t) => {
  const {arrived, client} = await start(t, [answers(200, '{"data":[{"id":"1"},{"id":"2"}],"next_cursor":"c+1"}'), answers(200, '{"data":[{"id":"3"}],"next_cursor":null}'), problem(403, 'forbidden')]);
  let ids = '';
  for await (const order of client.allOrders({status: 'succeeded', limit: 2})) ids += order.id;
  assert.equal(ids, '123');
  assert.deepEqual(arrived.map((a) => a.uri), ['/v1/orders?status=succeeded&limit=2', '/v1/orders?status=succeeded&limit=2&cursor=c%2B1']);
  await assert.rejects(client.allOrders().next(), {code: 'forbidden'});
});

test('an id stands in the path', async (t) => {
  const {arrived, client} = await start(t, [answers(200, '{}')]);
  await client.getBalance('EUR/$&main');
  assert.equal(arrived[0].uri, '/v1/accounts/EUR%2F%24%26main/balance');
  await assert.rejects(client.getOrder(''), /the id is empty/);
  // @ts-expect-error a shop in JavaScript
  await assert.rejects(client.getOrder(undefined), /the id is empty/);
  assert.equal(arrived.length, 1);
});
