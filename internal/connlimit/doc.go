// Package connlimit bounds how many connections a listener has, in all and from each address, so that strangers who open
// connections and say nothing take no place from those who have shown a key. It never reads from a connection.
package connlimit
