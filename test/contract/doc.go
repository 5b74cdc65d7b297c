// Package contract tries what others make of api/openapi.yaml. Its tests lint the document with three linters, generate a
// client of it with four generators, compile each in strict mode, and let each make a first payment against a real `dev`:
// once as it is, and once through a proxy that changes every answer as a later version might. They run the TypeScript code of
// docs/guides, too, and the example shops with the clients of client/.
package contract
