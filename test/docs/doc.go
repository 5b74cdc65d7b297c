// Package docs holds the repository's pages to their own rules: short paragraphs and table cells, links and anchors that
// resolve, and citations of provider facts whose section or rule exists in docs/providers. It has no code of its own.
package docs
