// Command server is payrelay: dev, run, sandbox and the operators' commands in one binary. Wiring lives here and
// nowhere else.
package main
