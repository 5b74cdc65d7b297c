package control

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/clock"
)

// ClockRoutes adds the clock of all simulators: /clock, and /console/clock for the developer's page.
func ClockRoutes(r chi.Router, c *clock.Clock) {
	r.Get("/clock", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, c.View()) })
	r.Post("/clock", func(w http.ResponseWriter, r *http.Request) {
		Do(http.StatusOK, func(_ string, in clock.Move) (any, error) { return c.Do(r.Context(), in) })(w, r)
	})
	r.Post("/console/clock", func(w http.ResponseWriter, r *http.Request) {
		Form(func(f url.Values) error {
			_, err := c.Do(r.Context(), clock.Move{Advance: f.Get("advance"), Step: f.Get("step")})
			return err
		})(w, r)
	})
}
