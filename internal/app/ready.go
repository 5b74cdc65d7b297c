package app

// Ready is what `dev --json` prints.
type Ready struct {
	Ready           bool   `json:"ready"`
	API             string `json:"api"`
	Admin           string `json:"admin"`
	Sandbox         string `json:"sandbox"`
	ShopKey         string `json:"shop_key"`
	WebhookSecret   string `json:"webhook_secret"`
	NotificationURL string `json:"notification_url"`
	ShopPage        string `json:"shop_page"`
	DatabaseURL     string `json:"database_url"`
}
