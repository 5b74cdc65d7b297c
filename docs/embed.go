// Package docs holds the pages of the documentation, which the service serves at /docs.
package docs

import "embed"

// Pages are the Markdown files of this folder.
//
//go:embed *.md */*.md
var Pages embed.FS
