// Package names rejects names that nobody knows, with the nearest one that somebody does. A fault at a misspelt endpoint would
// otherwise be taken, and never act.
package names
