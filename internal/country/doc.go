// Package country knows the codes of countries: ISO 3166-1 alpha-2.
package country
