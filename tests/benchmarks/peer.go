// A peer for the one-click benchmark: an HTTP server that unsubscribes with one prepared UPDATE.
// It verifies no signature, and writes no ledger, no details and no outbox.
//
//	peer ADDRESS CONNECTION-STRING
package main

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"log"
	"net/http"
	"os"
	"strings"

	_ "github.com/lib/pq"
)

const connections = 25

const update = `UPDATE subscriptions SET status = 'unsubscribed', source = 'one-click',
	changed_at = now(), updated_at = now() WHERE subscriber_id = $1 AND topic = $2`

func main() {
	database, err := sql.Open("postgres", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	database.SetMaxOpenConns(connections)
	database.SetMaxIdleConns(connections)
	statement, err := database.Prepare(update)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("ok\n"))
	})
	// A link is VERSION.DAY.SUBSCRIBER.TOPIC.CAMPAIGN.SIGNATURE; see docs/link-format.md.
	http.HandleFunc("/u/", func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/u/"), ".")
		if r.Method != "POST" || len(parts) != 6 {
			http.Error(w, "bad link", http.StatusBadRequest)
			return
		}
		id, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil {
			http.Error(w, "bad link", http.StatusBadRequest)
			return
		}
		if _, err := statement.Exec(hex.EncodeToString(id), parts[3]); err != nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("You are unsubscribed.\n"))
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
