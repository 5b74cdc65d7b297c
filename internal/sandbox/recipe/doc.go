// Package recipe is the table of amounts at which the simulators misbehave by themselves, so that a shop can meet every fault without a
// call of the control API. What the table says is all there is: the documentation, the consoles and the tests read it.
package recipe
