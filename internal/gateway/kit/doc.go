// Package kit holds what the adapters of all providers do alike: reading an account's settings, decoding values, keeping
// secrets out of what is stored, and collecting what is wrong with a request.
//
// Nothing here knows a provider's words. An adapter's own rules stay in its package, and simulators do not use the kit.
package kit
