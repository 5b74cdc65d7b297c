// Made of api/openapi.yaml by `make generate`. Do not edit.
export {};
