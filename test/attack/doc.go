// Package attack runs the real server with a shop's load, attacks it as a stranger without a key would, and reports what the shop
// lost. The attackers have addresses of their own on this machine, 127.0.1.x.
package attack
