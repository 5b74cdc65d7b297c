// Package clientaddr finds out from which address a request comes, by exactly one source that an operator has chosen: the
// connection itself, one header of trusted proxies, or the PROXY protocol. Whatever else says an address is not listened to.
package clientaddr
