// Package docsite serves the documentation as HTML: the Markdown pages of docs, and a reference and a list of error codes made
// of the contract. Each page is rendered when somebody first asks for it. Every page works without JavaScript, and loads
// nothing from elsewhere.
package docsite
