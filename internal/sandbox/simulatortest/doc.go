// Package simulatortest holds what the tests of the provider simulators share: a simulator that
// runs behind a server, a merchant that receives its callbacks, and a log that
// can be read while it is written.
package simulatortest
