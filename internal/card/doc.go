// Package card holds card data in types that can only print themselves masked.
//
// A card number or CVC lives in the memory of one request and in the call to the provider, nowhere else. PAN, CVC and
// Token implement every interface that printing, logging, encoding and database packages look for, and each of them
// gives the mask. The one way to the value itself is Reveal, which only an adapter's wire code calls: a test over the
// source tree holds that.
package card
