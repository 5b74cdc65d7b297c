// Package locale is the languages in which customers read the pages of the simulators and of the demo shop: English and Ukrainian. It says
// in which one a browser reads, and holds the translations and how a sum is written. Pages for developers are in English only.
package locale
