package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/plural"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
)

type keysetCmd struct {
	New       keysetNewCmd       `cmd:"" help:"Print a new keyset for SECRET_KEYSET."`
	Status    keysetStatusCmd    `cmd:"" help:"Show the keys, which replicas hold them, and how many rows need each. Reads whole tables."`
	Add       keysetAddCmd       `cmd:"" help:"Print the keyset of SECRET_KEYSET with a new key, which decrypts only."`
	Promote   keysetPromoteCmd   `cmd:"" help:"Print the keyset with a key that encrypts from then on. Refused while a replica lacks it."`
	Reencrypt keysetReencryptCmd `cmd:"" help:"Rewrite what other keys encrypted. May run beside the service; one that was stopped goes on where it was."`
	Retire    keysetRetireCmd    `cmd:"" help:"Print the keyset with a key that decrypts no more. Refused while a row needs it."`
	Destroy   keysetDestroyCmd   `cmd:"" help:"Print the keyset without a retired key. Refused while a replica holds it."`
}

// givenKeyset is what SECRET_KEYSET, SECRET_KEYSET_FILE or SECRET_KEYSET_COMMAND gives, empty if none is set.
func givenKeyset(io *Streams) (gateway.Secret, error) {
	vars := map[string]string{}
	for _, name := range []string{"SECRET_KEYSET", "SECRET_KEYSET_FILE", "SECRET_KEYSET_COMMAND"} {
		vars[name] = lookup(io.Environ, name)
	}
	if problems := secretFiles(configType, vars); len(problems) > 0 {
		return "", errors.New(strings.Join(problems, "; "))
	}
	if problems := keysetFromCommand(vars); len(problems) > 0 {
		return "", errors.New(strings.Join(problems, "; "))
	}
	return gateway.Secret(vars["SECRET_KEYSET"]), nil
}

type keysetNewCmd struct{}

// Run implements the command.
func (keysetNewCmd) Run(io *Streams) error {
	keyset, err := secrets.NewKeyset()
	if err != nil {
		return fmt.Errorf("make a keyset: %w", err)
	}
	fmt.Fprintln(io.Out, keyset)
	fmt.Fprintln(io.Err, "Keep it where only the service can read it. Without it no stored secret can be read again.")
	return nil
}

// keysetOf is the keyset that a command changes, and the database whose rows need it.
type keysetOf struct {
	*database
	set      gateway.Secret
	keyring  *secrets.Keyring
	replicas []store.Replica
}

func openKeyset(ctx context.Context, io *Streams, reason operatorReason) (*keysetOf, error) {
	set, err := givenKeyset(io)
	if err != nil {
		return nil, err
	}
	if set == "" {
		return nil, errNoKeysetGiven
	}
	db, err := operate(ctx, io, reason)
	if err != nil {
		return nil, err
	}
	k := &keysetOf{database: db, set: set, keyring: db.store.Keyring}
	if k.replicas, err = db.store.Replicas(ctx); err != nil {
		db.close()
		return nil, err
	}
	return k, nil
}

// key finds a key of the keyset.
func (k *keysetOf) key(id uint32) (secrets.Key, error) {
	keys := k.keyring.Keys()
	i := slices.IndexFunc(keys, func(key secrets.Key) bool { return key.ID == id })
	if i < 0 {
		return secrets.Key{}, fmt.Errorf("the keyset has no key %d: 'server keyset status' lists them", id)
	}
	return keys[i], nil
}

// print shows a changed keyset, once what was done is in the audit log.
func (k *keysetOf) print(ctx context.Context, io *Streams, action string, key uint32, set, next string) error {
	keyring, err := secrets.Open(gateway.Secret(set))
	if err != nil {
		return err
	}
	if err := k.store.AuditKeyset(ctx, action, key, keyFactsOf(k.keyring), keyFactsOf(keyring)); err != nil {
		return err
	}
	fmt.Fprintln(io.Out, set)
	fmt.Fprintln(io.Err, next)
	return nil
}

func keyFactsOf(keyring *secrets.Keyring) map[string]any {
	states := map[string]string{}
	for _, key := range keyring.Keys() {
		states[fmt.Sprint(key.ID)] = keysetState(key)
	}
	return map[string]any{"keys": states}
}

func keysetState(key secrets.Key) string {
	switch {
	case key.Primary:
		return "primary"
	case key.Enabled:
		return "decrypts"
	}
	return "retired"
}

type keysetStatusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c keysetStatusCmd) Run(ctx context.Context, io *Streams) error {
	k, err := openKeyset(ctx, io, "")
	if err != nil {
		return err
	}
	defer k.close()
	rows, err := k.store.SealedBy(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"keys": keyFactsOf(k.keyring)["keys"], "replicas": k.replicas, "rows": rows})
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tSTATE\tROWS THAT NEED IT\tREPLICAS THAT HOLD IT")
	for _, key := range k.keyring.Keys() {
		fmt.Fprintf(w, "%d\t%s\t%d\t%d of %d\n", key.ID, keysetState(key), needing(rows, key.ID), k.holders(key.ID), len(k.replicas))
	}
	fmt.Fprintln(w, "\nCOLUMN\tKEY\tROWS\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t\n", r.Place, r.Key, r.Rows)
	}
	fmt.Fprintln(w, "\nREPLICA\tVERSION\tENCRYPTS WITH\tSEEN")
	for _, r := range k.replicas {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", r.Host, r.Version, r.Primary, r.SeenAt.Format(time.RFC3339))
	}
	return w.Flush()
}

func needing(rows []store.SealedRows, key uint32) (n int64) {
	for _, r := range rows {
		if r.Key == key {
			n += r.Rows
		}
	}
	return n
}

func (k *keysetOf) holders(key uint32) (n int) {
	for _, r := range k.replicas {
		if r.Holds(key) {
			n++
		}
	}
	return n
}

type keysetAddCmd struct{ reasonFlag }

// Run implements the command.
func (c keysetAddCmd) Run(ctx context.Context, io *Streams) error {
	k, err := openKeyset(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer k.close()
	set, id, err := secrets.AddKey(k.set)
	if err != nil {
		return fmt.Errorf("add a key: %w", err)
	}
	return k.print(ctx, io, "keyset add", id, set, fmt.Sprintf("The new key is %d, and it decrypts only. Give this keyset to all replicas, one after the other; then 'server keyset promote %[1]d'.", id))
}

type keysetPromoteCmd struct {
	Key uint32 `arg:"" help:"The key's id; 'server keyset status' lists them."`
	reasonFlag
}

// Run implements the command.
func (c keysetPromoteCmd) Run(ctx context.Context, io *Streams) error {
	k, err := openKeyset(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer k.close()
	switch key, err := k.key(c.Key); {
	case err != nil:
		return err
	case key.Primary:
		return fmt.Errorf("%d is the primary key already", c.Key)
	case !key.Enabled:
		return fmt.Errorf("%d is retired: what it encrypted could not be read", c.Key)
	}
	for _, r := range k.replicas {
		if !r.Holds(c.Key) {
			return fmt.Errorf("the replica on %s does not hold the key %d, and could not read what others write: give it the keyset with the key first", r.Host, c.Key)
		}
	}
	set, err := secrets.Promote(k.set, c.Key)
	if err != nil {
		return err
	}
	return k.print(ctx, io, "keyset promote", c.Key, set, "Give this keyset to all replicas, one after the other; then 'server keyset reencrypt' with it.")
}

type keysetReencryptCmd struct {
	Rate int `default:"500" help:"How many rows a second at most."`
	reasonFlag
}

// Run implements the command.
func (c keysetReencryptCmd) Run(ctx context.Context, io *Streams) error {
	if c.Rate < 1 || c.Rate > 100_000 {
		return errors.New("--rate is from 1 to 100000")
	}
	k, err := openKeyset(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer k.close()
	primary := k.keyring.Primary()
	for _, r := range k.replicas {
		if r.Primary != primary {
			return fmt.Errorf("the replica on %s encrypts with the key %d still, and %d is to take its place: give it the keyset that 'server keyset promote' printed first", r.Host, r.Primary, primary)
		}
	}
	if err := k.store.AuditKeyset(ctx, "keyset reencrypt", primary, nil, map[string]any{"rate": c.Rate}); err != nil {
		return err
	}
	last := time.Time{}
	return k.store.Reencrypt(ctx, c.Rate, func(p store.Reencryption) {
		if p.Finished || time.Since(last) > time.Second {
			last = time.Now()
			fmt.Fprintf(io.Out, "%s: %s rewritten%s\n", p.Place, plural.Of(p.Rewritten, "row", "rows"), map[bool]string{true: ", done"}[p.Finished])
		}
	})
}

type keysetRetireCmd struct {
	Key uint32 `arg:"" help:"The key's id."`
	reasonFlag
}

// Run implements the command.
func (c keysetRetireCmd) Run(ctx context.Context, io *Streams) error {
	k, err := openKeyset(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer k.close()
	if err := k.unneeded(ctx, c.Key); err != nil {
		return err
	}
	set, err := secrets.Retire(k.set, c.Key)
	if err != nil {
		return err
	}
	return k.print(ctx, io, "keyset retire", c.Key, set, "Give this keyset to all replicas. If all goes well without the key for a while, 'server keyset destroy' takes it away for good.")
}

// unneeded refuses a key that a row or a replica needs.
func (k *keysetOf) unneeded(ctx context.Context, id uint32) error {
	key, err := k.key(id)
	if err != nil {
		return err
	}
	if key.Primary {
		return fmt.Errorf("%d is the primary key: promote another one first", id)
	}
	for _, r := range k.replicas {
		if r.Primary == id {
			return fmt.Errorf("the replica on %s encrypts with the key %d: give it the keyset that 'server keyset promote' printed first", r.Host, id)
		}
	}
	rows, err := k.store.SealedBy(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Key == id {
			return fmt.Errorf("in %s %s the key %d: 'server keyset reencrypt' rewrites such rows", r.Place, plural.Of(r.Rows, "row needs", "rows need"), id)
		}
	}
	return nil
}

type keysetDestroyCmd struct {
	Key    uint32         `arg:"" help:"The key's id."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// Run implements the command.
func (c keysetDestroyCmd) Run(ctx context.Context, io *Streams) error {
	k, err := openKeyset(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer k.close()
	if err := k.unneeded(ctx, c.Key); err != nil {
		return err
	}
	if key, err := k.key(c.Key); err != nil || key.Enabled {
		return errors.Join(err, fmt.Errorf("%d is not retired: 'server keyset retire' first, and let the service run without it for a while", c.Key))
	}
	for _, r := range k.replicas {
		if r.Holds(c.Key) {
			return fmt.Errorf("the replica on %s holds the key %d: give it the keyset that 'server keyset retire' printed first", r.Host, c.Key)
		}
	}
	set, err := secrets.Destroy(k.set, c.Key)
	if err != nil {
		return err
	}
	return k.print(ctx, io, "keyset destroy", c.Key, set, "Give this keyset to all replicas, and delete the keysets before. A backup from before the re-encryption needs the key: keep it with such a backup, apart, or give the backup up.")
}
