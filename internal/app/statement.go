package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/payment"
)

type transactionReportCmd struct {
	List transactionReportListCmd `cmd:"" help:"List transaction reports of all shops, the newest first."`
	File transactionReportFileCmd `cmd:"" help:"Fetch the provider's own file behind a transaction report, with the rows of all shops. A shop gets its own rows only."`
}

type transactionReportListCmd struct {
	Limit int  `default:"100" help:"The most lines to list."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c transactionReportListCmd) Run(ctx context.Context, io *Streams) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	list, err := db.store.LatestTransactionReports(ctx, c.Limit+1)
	if err != nil {
		return err
	}
	list, more := cut(list, c.Limit)
	type row struct {
		ID        uuid.UUID `json:"id"`
		Shop      string    `json:"shop"`
		Account   string    `json:"account"`
		Type      string    `json:"type"`
		Status    string    `json:"status"`
		From      time.Time `json:"from"`
		To        time.Time `json:"to"`
		State     string    `json:"state"`
		Rows      int       `json:"rows"`
		CreatedAt time.Time `json:"created_at"`
	}
	rows := []row{}
	for _, st := range list {
		rows = append(rows, row{st.ID, st.ShopName, st.AccountName, string(st.Type), string(st.Status), st.From, st.To, string(st.State), st.Rows, st.CreatedAt})
	}
	return table(c.JSON, io, more, rows, "No shop has asked for a transaction report.", "ID\tSHOP\tACCOUNT\tTYPE\tSTATUS\tFROM\tTO\tSTATE\tROWS\tCREATED", func(w *tabwriter.Writer, r row) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", r.ID, r.Shop, r.Account, r.Type, r.Status, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.State, r.Rows, r.CreatedAt.Format(time.RFC3339))
	})
}

type transactionReportFileCmd struct {
	ID     uuid.UUID `arg:"" help:"The transaction report's id."`
	Output string    `required:"" short:"o" type:"path" placeholder:"FILE" help:"Where to write the xlsx file. It must not exist."`
}

// Run implements the command. The provider is asked with the account's secrets, as the service does.
func (c transactionReportFileCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	st, err := db.store.FindTransactionReport(ctx, c.ID)
	if err != nil {
		return err
	}
	providers, err := commandDrivers(io, db.demo)
	if err != nil {
		return err
	}
	service := payment.New(payment.Config{
		Store: db.store, TransactionReports: db.store, Drivers: providers, Now: db.clock.Now,
	})
	if err := writeNew(c.Output, func(f *os.File) error { return service.ProviderFile(ctx, st, f) }); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "The provider's file is in %s. It holds rows of all shops, and card data as the provider sends it: delete it when you are done.\n", c.Output)
	return nil
}

// writeNew makes a file that only its owner may read. Half a file is not left behind.
func writeNew(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
