package app

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"payrelay/internal/gateway"
)

// accountFlags are the flags of every setting and secret that the providers describe. A secret's flag names a file.
type accountFlags struct {
	kong.Plugins `json:"-"`
	all          []*accountFlag
}

// accountFlag is one of them.
type accountFlag struct {
	name   string // of the setting or secret
	secret bool
	help   []string // "provider: what it means", one for each provider that has it
	given  func() *string
}

// flag is how the command line calls it.
func (f *accountFlag) flag() string {
	name := strings.ReplaceAll(f.name, "_", "-")
	if f.secret {
		name += "-file"
	}
	return name
}

// describedFlags asks the providers what accounts may be configured with.
func describedFlags(registry *gateway.Registry) (accountFlags, error) {
	var f accountFlags
	for _, provider := range registry.Names() {
		d, err := registry.Driver(provider)
		if err != nil {
			return f, err
		}
		described := d.Describe()
		for _, s := range described.Settings {
			f.add(provider, s, false)
		}
		for _, s := range described.Secrets {
			f.add(provider, s, true)
		}
	}
	f.Plugins = kong.Plugins{f.structure()}
	return f, nil
}

func (f *accountFlags) add(provider string, s gateway.Setting, secret bool) {
	help := provider + ": " + s.Help
	switch {
	case s.Required:
		help += ". Required"
	case s.Default != "":
		help += ". Without it: " + s.Default
	}
	for _, known := range f.all {
		if known.name == s.Name && known.secret == secret {
			known.help = append(known.help, help)
			return
		}
	}
	f.all = append(f.all, &accountFlag{name: s.Name, secret: secret, help: []string{help}})
}

// structure makes what kong reads flags from: a pointer to a struct with a member for each.
func (f *accountFlags) structure() any {
	members := make([]reflect.StructField, len(f.all))
	for i, flag := range f.all {
		help, placeholder := strings.Join(flag.help, ". ")+".", "VALUE"
		if flag.secret {
			help, placeholder = "A file. "+help, "FILE"
		}
		members[i] = reflect.StructField{
			Name: "Flag" + strconv.Itoa(i), Type: reflect.TypeFor[*string](),
			Tag: reflect.StructTag(fmt.Sprintf("name:%q help:%q placeholder:%q", flag.flag(), help, placeholder)),
		}
	}
	values := reflect.New(reflect.StructOf(members))
	for i, flag := range f.all {
		flag.given = func() *string { return values.Elem().Field(i).Interface().(*string) } //nolint:forcetypeassert // made above
	}
	return values.Interface()
}

// settings returns the settings that were given. An empty one stands for the provider's default.
func (f *accountFlags) settings() map[string]string {
	settings := map[string]string{}
	for _, flag := range f.all {
		if v := flag.given(); !flag.secret && v != nil {
			settings[flag.name] = *v
		}
	}
	return settings
}

// secrets reads the files of the secrets that were given.
func (f *accountFlags) secrets() (map[string]gateway.Secret, error) {
	secrets := map[string]gateway.Secret{}
	for _, flag := range f.all {
		path := flag.given()
		if !flag.secret || path == nil {
			continue
		}
		secret, err := secretFile(kong.ExpandPath(*path))
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag.flag(), err)
		}
		secrets[flag.name] = secret
	}
	return secrets, nil
}

// check opens the account as the service will, so that a mistake shows now. What is missing or unknown is named by its flag.
func (f *accountFlags) check(registry *gateway.Registry, provider string, a gateway.Account) error {
	d, err := registry.Driver(provider)
	if err != nil {
		return fmt.Errorf("--provider: %w", err)
	}
	described := d.Describe()
	var wrong []string
	for _, flag := range f.all {
		known, given := described.Settings, a.Settings[flag.name] != ""
		if flag.secret {
			known, given = described.Secrets, a.Secrets[flag.name] != ""
		}
		i := slices.IndexFunc(known, func(s gateway.Setting) bool { return s.Name == flag.name })
		switch {
		case i < 0 && given:
			wrong = append(wrong, fmt.Sprintf("--%s is nothing that an account at %s has", flag.flag(), provider))
		case i >= 0 && known[i].Required && !given:
			wrong = append(wrong, fmt.Sprintf("--%s is required at %s: %s", flag.flag(), provider, known[i].Help))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s. Nothing was changed", strings.Join(wrong, "; "))
	}
	_, err = d.Open(a)
	return err
}
