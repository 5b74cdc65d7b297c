package migrations

// TablesWithRights lists the tables of which it is said what the roles may do with them.
func TablesWithRights() []string {
	names := make([]string, len(tableRights))
	for i, r := range tableRights {
		names[i] = r.table
	}
	return names
}
