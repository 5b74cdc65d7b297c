// Package archtest holds the shape of the program in tests: which package may import which, and who may take a card
// number out of its type. It has no code of its own and nobody imports it.
//
// The rules are in rules_test.go, each with its reason. A rule counts for what a package imports directly and for what
// it reaches through other packages of this module, so a detour breaks it too.
package archtest
