package app

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// A command that is built alone has what it has among all others.
func TestACommandAloneIsTheSame(t *testing.T) {
	t.Parallel()
	c, words, err := newCLI()
	require.NoError(t, err)
	all, err := kong.New(c, words)
	require.NoError(t, err)
	for _, command := range all.Model.Children {
		grammar, _ := c.only([]string{command.Name, "--as", "me"})
		alone, err := kong.New(grammar, words)
		require.NoError(t, err, command.Name)
		require.Len(t, alone.Model.Children, 1)
		require.Equal(t, leaves(command, ""), leaves(alone.Model.Children[0], ""))
		require.Equal(t, flags(command), flags(alone.Model.Children[0]))
	}
	for _, args := range [][]string{nil, {"--help"}, {"--as", "me", "version"}, {"acount"}} {
		grammar, as := c.only(args)
		require.Equal(t, c, grammar)
		require.Equal(t, &c.As, as)
	}
}

func flags(node *kong.Node) (found []string) {
	for _, f := range node.AllFlags(true) {
		for _, flag := range f {
			found = append(found, flag.String())
		}
	}
	for _, child := range node.Children {
		found = append(found, flags(child)...)
	}
	return found
}
