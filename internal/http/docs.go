package httpapi

import (
	"net/http"
	"sync"

	"github.com/oasdiff/yaml"

	"payrelay/api"
)

// contractJSON is the contract for those who read no YAML.
var contractJSON = sync.OnceValue(func() []byte {
	doc, err := yaml.YAMLToJSON(api.OpenAPI)
	if err != nil {
		panic(err) // the embedded file is part of the program
	}
	return doc
})

func serveContract(w http.ResponseWriter, _ *http.Request) {
	serveDocument(w, "application/yaml; charset=utf-8", api.OpenAPI)
}

func serveContractJSON(w http.ResponseWriter, _ *http.Request) {
	serveDocument(w, "application/json", contractJSON())
}

func serveDocument(w http.ResponseWriter, contentType string, doc []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(doc)
}
