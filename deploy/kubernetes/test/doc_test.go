// Package kubernetes_test holds the manifests to Kubernetes' own types, to each other and to the service. It is a module of its
// own, so that the service does not depend on Kubernetes' libraries. `make kubernetes` runs it.
package kubernetes_test
