// Command server is payrelay: the service, everything that a developer needs around it, and the operators' commands in
// one binary. Package internal/app holds them.
package main

import (
	"os"

	"payrelay/internal/app"
)

func main() { os.Exit(app.Main()) }
