// Package twintest holds what the tests of the provider twins share: a twin that
// runs behind a server, a merchant that receives its callbacks, and a log that
// can be read while it is written.
package twintest
