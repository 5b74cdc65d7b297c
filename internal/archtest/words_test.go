package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// privateNames are words that mean nothing to a stranger in a name: of a Go declaration, a log field, a column or a metric.
// In a sentence they are ordinary English. Each comes with what to write instead.
var privateNames = map[string]string{
	"again": "retry", "begun": "the state that is meant, such as authorized", "bench": "fixture", "books": "snapshots", "lane": "worker", "lanes": "workers",
	"look": "status poll, or probe", "looked": "polled, or probed", "looker": "prober", "looks": "status polls", "remember": "pend, or save",
	"remembered": "pending, or saved", "shed": "rejected", "silent": "idle, or the fact that is meant", "story": "timeline, or scenario", "stories": "scenarios",
	"strike": "injection", "struck": "injected", "told": "reported, or result", "unsure": "inconclusive", "why": "reason",
}

// privateMetrics are words that no metric or alert uses: in a sentence they are ordinary.
var privateMetrics = map[string]string{
	"cause": "source", "check": "status poll", "checks": "status polls", "forged": "invalid signature", "report": "observation", "reports": "observations",
}

// privateWords mean nothing to a stranger wherever they stand: in names, comments, messages, SQL, pages, alert rules and the
// dashboard. Each is a whole word without regard to case, or a phrase.
var privateWords = map[string]string{
	`commanded`: "modification pending", `doubt(s|ed|ful)?`: "pending verification, or conflict", `hush(ed)?`: "idle grace", `knock(s|ed|ing)?`: "request",
	`must ?look`: "hold unverified", `namesakes?`: "refunds of the same sum", `(in|un)?parked`: "dead-lettered", `patience`: "wait timeout",
	`sheds?`: "rejected at admission", `sisters?`: "the other ones, by name", `strikes?`: "injected fault", `tortur(e|ed|es|ing)`: "fault test",
	`turn(s|ed|ing)? ?away`: "reject", `twins?`: "simulator", `(the|three|two|both|its|their|all|of) books`: "snapshots",
}

// wordsExempt says where a word may stand after all.
var wordsExempt = []struct {
	file, word *regexp.Regexp
	reason     string
}{
	{regexp.MustCompile(`^internal/archtest/words_test\.go$`), regexp.MustCompile(`.`), "it lists them"},
	{regexp.MustCompile(`^cmd/faults/main\.go$`), regexp.MustCompile(`^lanes$`), "flags of commands keep their names"},
	{regexp.MustCompile(`.`), regexp.MustCompile(`^--`), "flags of commands keep their names"},
}

// finding is a private word and its place.
type finding struct {
	file    string
	line    int
	word    string
	instead string
}

// exempt reports whether the word may stand there after all.
func (f finding) exempt() bool {
	for _, e := range wordsExempt {
		if e.file.MatchString(f.file) && e.word.MatchString(f.word) {
			return true
		}
	}
	return false
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %q: write %s", f.file, f.line, f.word, f.instead)
}

// anyWord matches every private word, and wordPatterns say which it is.
var anyWord, wordPatterns = func() (*regexp.Regexp, map[*regexp.Regexp]string) {
	patterns := map[*regexp.Regexp]string{}
	for word, instead := range privateWords {
		patterns[regexp.MustCompile(`(?i)^(--)?`+word+`$`)] = instead
	}
	return regexp.MustCompile(`(?i)(--)?\b(?:` + strings.Join(slices.Collect(maps.Keys(privateWords)), "|") + `)\b`), patterns
}()

// parts takes a name apart: MustLook and must_look are both must and look.
func parts(name string) []string {
	var words []string
	for _, piece := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }) {
		start, runes := 0, []rune(piece)
		for i := 1; i < len(runes); i++ {
			up := unicode.IsUpper(runes[i])
			if up && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
				words = append(words, strings.ToLower(string(runes[start:i])))
				start = i
			}
		}
		words = append(words, strings.ToLower(string(runes[start:])))
	}
	return words
}

// inName finds the private words of a name. A test's name is a sentence.
func inName(name string) (words map[string]string) {
	words = map[string]string{}
	all := parts(name)
	sentence := len(all) > 1 && slices.Contains([]string{"test", "benchmark", "fuzz", "example"}, all[0])
	for _, word := range all {
		if instead, ok := privateNames[word]; ok && !sentence {
			words[word] = instead
		}
	}
	for word, instead := range inText(strings.Join(all, " ")) {
		words[word] = instead
	}
	return words
}

// inMetric finds the private words of the name of a metric or an alert.
func inMetric(name string) (words map[string]string) {
	words = map[string]string{}
	for _, word := range parts(name) {
		if instead, ok := privateMetrics[word]; ok {
			words[word] = instead
		}
	}
	return words
}

// inText finds the private words of a text.
func inText(text string) (words map[string]string) {
	words = map[string]string{}
	for _, word := range anyWord.FindAllString(text, -1) {
		for pattern, instead := range wordPatterns {
			if pattern.MatchString(word) {
				words[word] = instead
			}
		}
	}
	return words
}

var (
	sqlName    = regexp.MustCompile(`[a-z][a-z_]+`)
	metricName = regexp.MustCompile(`payrelay_[a-z_]+|Payrelay[A-Za-z]+`)
)

// wordsOf finds the private words of a file, by line.
func wordsOf(file, text string) (found []finding) {
	add := func(line int, words map[string]string) {
		for word, instead := range words {
			found = append(found, finding{file, line, word, instead})
		}
	}
	for i, line := range strings.Split(text, "\n") {
		add(i+1, inText(line))
		for _, name := range metricName.FindAllString(line, -1) {
			add(i+1, inMetric(name))
		}
		if filepath.Ext(file) == ".go" {
			continue // its names are read with the language in mind
		}
		names := metricName
		if filepath.Ext(file) == ".sql" {
			names, line = sqlName, strings.SplitN(line, "--", 2)[0]
		}
		for _, name := range names.FindAllString(line, -1) {
			add(i+1, inName(name))
		}
	}
	if filepath.Ext(file) == ".go" {
		for line, names := range namesOf(file, text) {
			for _, name := range names {
				add(line, inName(name))
			}
		}
	}
	return found
}

// logFields are methods whose first argument names a field of a log line.
var logFields = []string{"Str", "Strs", "Stringer", "Int", "Int64", "Uint64", "Dur", "Time", "Bool", "Any", "Interface", "AnErr", "Float64"}

// namesOf lists the names that a Go file declares and the log fields that it writes, by line.
func namesOf(file, text string) map[int][]string {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil // the compiler says so, louder
	}
	names := map[int][]string{}
	add := func(at ast.Node, name string) {
		line := files.Position(at.Pos()).Line
		names[line] = append(names[line], name)
	}
	all := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id != nil {
				add(id, id.Name)
			}
		}
	}
	assigned := func(values ...ast.Expr) {
		for _, value := range values {
			if id, ok := value.(*ast.Ident); ok {
				all(id)
			}
		}
	}
	all(parsed.Name)
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			all(n.Name)
		case *ast.TypeSpec:
			all(n.Name)
		case *ast.ValueSpec:
			all(n.Names...)
		case *ast.ImportSpec:
			all(n.Name)
		case *ast.Field:
			all(n.Names...)
		case *ast.LabeledStmt:
			all(n.Label)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				assigned(n.Lhs...)
			}
		case *ast.RangeStmt:
			assigned(n.Key, n.Value)
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || len(n.Args) != 2 || !slices.Contains(logFields, method.Sel.Name) {
				break
			}
			if field, ok := n.Args[0].(*ast.BasicLit); ok && field.Kind == token.STRING {
				name, _ := strconv.Unquote(field.Value)
				add(field, name)
			}
		}
		return true
	})
	return names
}

// kinds of files that people read. Generated ones repeat what they are made of.
var readable = []string{".go", ".md", ".sql", ".yml", ".yaml", ".json", ".html", ".css", ".js", ".ts", ".ini", ""}

// TestNoPrivateWords holds that nobody needs a dictionary of ours: not for code, nor logs, nor pages.
func TestNoPrivateWords(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, "the list of files comes from git")
	var found []string
	for file := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if !slices.Contains(readable, filepath.Ext(file)) || strings.HasSuffix(file, ".gen.go") || strings.Contains(file, "package-lock") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if os.IsNotExist(err) {
			continue // deleted, and git is not told yet
		}
		require.NoError(t, err)
		for _, f := range append(wordsOf(file, string(text)), wordsOf(file, nameOfFile(file))...) {
			if !f.exempt() {
				found = append(found, f.String())
			}
		}
	}
	slices.Sort(found)
	require.Empty(t, slices.Compact(found))
}

// nameOfFile makes a text of a file's path.
func nameOfFile(file string) string {
	return strings.NewReplacer("_", " ", "-", " ", "/", " ").Replace(file)
}

// TestKindsOfErrorsSayWhatNoOtherWordSays holds that a provider declines, we reject, and a signature is valid or not.
func TestKindsOfErrorsSayWhatNoOtherWordSays(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for kind := gateway.KindUnknown; kind <= gateway.KindInvalidSignature; kind++ {
		require.NotRegexp(t, `refuse|denied|forge`, kind.String())
		require.False(t, seen[kind.String()], kind)
		seen[kind.String()] = true
	}
	require.Equal(t, "declined", gateway.KindDeclined.String())
	require.Equal(t, "invalid_signature", gateway.KindInvalidSignature.String())
}

func TestPrivateWordsAreFound(t *testing.T) {
	t.Parallel()
	source := `package p // the twins
type MustLook struct{ why string }
func (m MustLook) keep(again int) { log.Str("parked_at", m.why).Msg("a look at it, once again") }
func TestWhyItIsAskedAgain() {}
const late = "payrelay_checks_late" // PayrelayChecksLate
`
	var found []string
	for _, f := range wordsOf("p.go", source) {
		found = append(found, fmt.Sprint(f.line, " ", f.word))
	}
	slices.Sort(found)
	require.Equal(t, []string{"1 twins", "2 MustLook", "2 look", "2 must look", "2 why", "3 MustLook", "3 again", "3 parked", "5 checks"}, slices.Compact(found))
	require.Equal(t, []string{"is", "http", "of", "my", "order"}, parts("IsHTTP_ofMyOrder"))
}
