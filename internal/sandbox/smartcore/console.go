package smartcore

import "github.com/go-chi/chi/v5"

func (t *Twin) consoleRoutes(chi.Router) {}
