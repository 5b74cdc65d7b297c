package docsite

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// The reference is written in Markdown from the contract, and is then a page like any other.

// ErrorsAddress is the page that explains each code of an error under a heading of its name.
const ErrorsAddress = "/docs/errors"

const objectsAddress = "/docs/reference/objects"

// referencePages are the pages made of the contract: conventions, a page for each tag, the objects and the error codes.
func referencePages(contract *openapi3.T) []*page {
	conventions, codes := splitErrors(contract.Info.Description)
	index := &page{address: "/docs/reference", title: "API reference", description: "Every call, and what holds for all of them."}
	var calls strings.Builder
	pages := []*page{index}
	for _, tag := range contract.Tags {
		p := &page{address: "/docs/reference/" + strings.ToLower(tag.Name), title: tag.Name, description: tag.Description}
		var b strings.Builder
		fmt.Fprintf(&b, "# %s\n\n%s\n\n", tag.Name, tag.Description)
		fmt.Fprintf(&calls, "\n### %s\n\n%s\n\n| call | does |\n|---|---|\n", tag.Name, tag.Description)
		for _, c := range callsOf(contract, tag.Name) {
			c.write(&b)
			fmt.Fprintf(&calls, "| [`%s %s`](%s#%s) | %s |\n", c.method, c.path, p.address, c.op.OperationID, escape(c.op.Summary))
		}
		p.source = b.String()
		pages = append(pages, p)
	}
	index.source = "# API reference\n\nThe contract itself is [openapi.yaml](/openapi.yaml), and [openapi.json](/openapi.json) for generators of clients.\n\n## Calls\n" + calls.String() + "\n" + conventions
	objects := &page{address: objectsAddress, title: "Objects", description: "What requests and answers are made of.", source: objectsSource(contract)}
	explained := &page{address: ErrorsAddress, title: "Error codes", description: "The cause of each error, and what to do.", source: errorsSource(codes)}
	return append(pages, objects, explained)
}

// call is an operation and where it is.
type call struct {
	method, path string
	item         *openapi3.PathItem
	op           *openapi3.Operation
}

// callsOf are the operations of a tag: those that shops should use before deprecated ones, its own addresses before others.
func callsOf(contract *openapi3.T, tag string) []call {
	var calls []call
	for path, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, tag) {
				calls = append(calls, call{method, path, item, op})
			}
		}
	}
	slices.SortFunc(calls, func(a, b call) int {
		deprecated := func(c call) int {
			if c.op.Deprecated {
				return 1
			}
			return 0
		}
		elsewhere := func(c call) int {
			if strings.HasPrefix(c.path, "/v1/"+strings.ToLower(tag)) {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(deprecated(a), deprecated(b)), cmp.Compare(elsewhere(a), elsewhere(b)), cmp.Compare(a.path, b.path), cmp.Compare(b.method, a.method))
	})
	return calls
}

func (c call) write(b *strings.Builder) {
	fmt.Fprintf(b, "<a id=%q></a>\n\n## %s\n\n`%s %s`\n\n", c.op.OperationID, c.op.Summary, c.method, c.path)
	if c.op.Deprecated {
		b.WriteString("**Deprecated**: it goes on working; use the newer call.\n\n")
	}
	fmt.Fprintf(b, "%s\n\n", c.op.Description)
	if scope, ok := c.op.Extensions["x-scope"].(string); ok {
		fmt.Fprintf(b, "The key needs the scope `%s`.\n\n", scope)
	}
	if parameters := slices.Concat(c.item.Parameters, c.op.Parameters); len(parameters) > 0 {
		b.WriteString("### Parameters\n\n| name | meaning |\n|---|---|\n")
		for _, ref := range parameters {
			p := ref.Value
			fmt.Fprintf(b, "| `%s` %s, %s%s | %s |\n", p.Name, p.In, kind(p.Schema), required(p.Required), meaning(p.Description, p.Schema.Value))
		}
		b.WriteString("\n")
	}
	c.writeBody(b)
	c.writeAnswers(b)
}

func (c call) writeBody(b *strings.Builder) {
	if c.op.RequestBody == nil {
		fmt.Fprintf(b, "### Example\n\n```sh\n%s```\n\n", c.curl(nil))
		return
	}
	media := c.op.RequestBody.Value.Content.Get("application/json")
	b.WriteString("### Body\n\n")
	writeFields(b, media.Schema.Value)
	b.WriteString("### Examples\n\n")
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		example := media.Examples[name].Value
		fmt.Fprintf(b, "%s:\n\n```sh\n%s```\n\n", cmp.Or(example.Summary, name), c.curl(example.Value))
	}
}

// curl is the call as somebody types it.
func (c call) curl(body any) string {
	text := "curl -sS"
	if c.method != http.MethodGet && body == nil {
		text += " -X " + c.method
	}
	text += " " + writtenAPI + regexp.MustCompile(`\{([a-z_]+)\}`).ReplaceAllStringFunc(c.path, func(name string) string { return strings.ToUpper(strings.Trim(name, "{}")) })
	text += " \\\n  -H 'Authorization: Bearer prk_test_demo'"
	if body != nil {
		written, err := json.MarshalIndent(body, "  ", "  ")
		if err != nil {
			panic(err) // it was read from YAML
		}
		text += " -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(string(written), "'", `'\''`) + "'"
	}
	return text + "\n"
}

func (c call) writeAnswers(b *strings.Builder) {
	b.WriteString("### Answers\n\n| status | meaning |\n|---|---|\n")
	var problems []string
	for _, status := range slices.Sorted(maps.Keys(c.op.Responses.Map())) {
		answer := c.op.Responses.Value(status).Value
		if answer.Content.Get("application/problem+json") != nil && answer.Content.Get("application/json") == nil {
			if status != "default" {
				problems = append(problems, "`"+status+"`")
			}
			continue
		}
		text := ""
		if answer.Description != nil {
			text = *answer.Description
		}
		for _, media := range answer.Content {
			if name := nameOf(media.Schema); name != "" {
				text += " The body is " + kind(media.Schema) + "."
			}
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", status, escape(text))
	}
	if len(problems) > 0 {
		fmt.Fprintf(b, "| %s | A [problem](%s#problem). Its `code` is [explained](%s). |\n", strings.Join(problems, ", "), objectsAddress, ErrorsAddress)
	}
	b.WriteString("\n")
}

// writeFields writes the members of an object as a table.
func writeFields(b *strings.Builder, schema *openapi3.Schema) {
	properties, needed := members(schema)
	if len(properties) == 0 {
		fmt.Fprintf(b, "%s\n\n", cmp.Or(schema.Description, "Any JSON object."))
		return
	}
	b.WriteString("| member | meaning |\n|---|---|\n")
	names := slices.SortedFunc(maps.Keys(properties), func(x, y string) int {
		first := func(name string) int {
			if i := slices.Index(needed, name); i >= 0 {
				return i
			}
			return len(needed)
		}
		return cmp.Or(cmp.Compare(first(x), first(y)), cmp.Compare(x, y))
	})
	for _, name := range names {
		p := properties[name]
		fmt.Fprintf(b, "| `%s` %s%s | %s |\n", name, kind(p), required(slices.Contains(needed, name)), meaning("", p.Value))
	}
	b.WriteString("\n")
}

// members are those of a schema and of all that it is made of.
func members(schema *openapi3.Schema) (openapi3.Schemas, []string) {
	all, needed := openapi3.Schemas{}, slices.Clone(schema.Required)
	maps.Copy(all, schema.Properties)
	for _, part := range schema.AllOf {
		properties, more := members(part.Value)
		maps.Copy(all, properties)
		needed = append(needed, more...)
	}
	return all, needed
}

// isObject reports whether a schema of the contract has a place on the page of objects.
func isObject(schema *openapi3.Schema) bool {
	properties, _ := members(schema)
	return len(properties) > 0
}

func required(is bool) string {
	if is {
		return ", required"
	}
	return ""
}

// nameOf is the name that the contract gives a schema, or nothing.
func nameOf(ref *openapi3.SchemaRef) string {
	_, name, _ := strings.Cut(ref.Ref, "#/components/schemas/")
	return name
}

// kind is the type of a value, in a few words.
func kind(ref *openapi3.SchemaRef) string {
	schema := ref.Value
	if name := nameOf(ref); name != "" && isObject(schema) {
		return fmt.Sprintf("[%s](%s#%s)", name, objectsAddress, strings.ToLower(name))
	}
	switch {
	case schema.Type.Is("array"):
		return "list of " + kind(schema.Items)
	case schema.Type == nil:
		for _, part := range slices.Concat(schema.AllOf, schema.OneOf, schema.AnyOf) {
			return kind(part)
		}
		return "any"
	case schema.Type.Is("object"):
		return "object"
	}
	text := strings.Join(schema.Type.Slice(), " or ")
	if schema.Format != "" && schema.Format != "int64" {
		text += " (" + schema.Format + ")"
	}
	return text
}

// meaning is what the contract says of a value, and its bounds.
func meaning(description string, schema *openapi3.Schema) string {
	parts := []string{cmp.Or(description, schema.Description)}
	if len(schema.Enum) > 0 {
		values := make([]string, len(schema.Enum))
		for i, v := range schema.Enum {
			values[i] = fmt.Sprintf("`%v`", v)
		}
		parts = append(parts, "One of "+strings.Join(values, ", ")+".")
	}
	if schema.MaxLength != nil && len(schema.Enum) == 0 {
		parts = append(parts, fmt.Sprintf("At most %d characters.", *schema.MaxLength))
	}
	if schema.Default != nil {
		parts = append(parts, fmt.Sprintf("`%v` if it is left out.", schema.Default))
	}
	return escape(strings.TrimSpace(strings.Join(parts, " ")))
}

// escape keeps text inside a cell of a table.
func escape(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func objectsSource(contract *openapi3.T) string {
	var b strings.Builder
	b.WriteString("# Objects\n\nWhat requests and answers are made of. Answers may gain members: ignore those that you do not know.\n\n")
	for _, name := range slices.Sorted(maps.Keys(contract.Components.Schemas)) {
		schema := contract.Components.Schemas[name].Value
		if !isObject(schema) {
			continue
		}
		fmt.Fprintf(&b, "## %s\n\n", name)
		if properties, _ := members(schema); len(properties) > 0 && schema.Description != "" {
			fmt.Fprintf(&b, "%s\n\n", schema.Description)
		}
		writeFields(&b, schema)
	}
	return b.String()
}

var codeRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]{3}) \\| (.+) \\| (.+) \\|\n")

// splitErrors takes the rows of codes out of the contract's description: they have a page of their own.
func splitErrors(description string) (rest string, codes [][]string) {
	codes = codeRow.FindAllStringSubmatch(description, -1)
	rest = codeRow.ReplaceAllString(description, "")
	rest = strings.Replace(rest, "| code | status | cause | what to do |\n|---|---|---|---|\n", "The [error codes]("+ErrorsAddress+") say the cause of each and what to do.\n", 1)
	return rest, codes
}

func errorsSource(codes [][]string) string {
	var b strings.Builder
	b.WriteString("# Error codes\n\nThe `type` of every [problem](" + objectsAddress + "#problem) leads here. [Idempotency and errors](/docs/guides/errors) shows how to handle them.\n\n")
	last := ""
	for _, c := range codes {
		if c[1] != last {
			fmt.Fprintf(&b, "## `%s`\n\n", c[1])
			last = c[1]
		}
		fmt.Fprintf(&b, "Status %s. %s\n\n**What to do:** %s\n\n", c[2], c[3], c[4])
	}
	return b.String()
}
