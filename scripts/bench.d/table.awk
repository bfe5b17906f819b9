# table.awk: results.tsv (row, kind, server, point, round, figures...) of one row, as a table in Markdown.
#
# Variables: figures, their names; plain, to print kind, server, point and medians as fields instead. A cell is the median of
# the rounds, half of what lies between the lowest and the highest, in per cent of it, and in brackets the median of the
# rounds' own ratios to ptybox's server of the same kind.

function sort_numbers(v, n,    i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) {
			t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
		}
}
function median(v, n) { return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
function show(x) { return x >= 1000 ? sprintf("%.0f", x) : sprintf("%.3g", x) }

BEGIN {
	FS = "\t"
	columns = split(figures, name, " ")
}
{
	key = $2 SUBSEP $3 SUBSEP $4
	if (!(key in seen)) {
		seen[key] = ++lines
		kind[lines] = $2; server[lines] = $3; point[lines] = $4
	}
	if (!(($2, $4) in base))
		base[$2, $4] = $3
	rounds = $5 > rounds ? $5 : rounds
	for (i = 1; i <= columns; i++)
		value[key, i, $5] = $(5 + i)
}
function cell(line, i,    key, b, r, n, v, ratio, ratios, m) {
	key = kind[line] SUBSEP server[line] SUBSEP point[line]
	b = kind[line] SUBSEP base[kind[line], point[line]] SUBSEP point[line]
	for (r = 1; r <= rounds; r++) {
		if (value[key, i, r] == "" || value[key, i, r] == "-")
			continue
		v[++n] = value[key, i, r]
		if (value[b, i, r] + 0)
			ratio[++ratios] = v[n] / value[b, i, r]
	}
	if (!n)
		return "-"
	sort_numbers(v, n)
	sort_numbers(ratio, ratios)
	m = median(v, n)
	if (plain || name[i] ~ /%/)
		return show(m)
	return show(m) (n > 1 && m ? sprintf(" ±%.0f%%", (v[n] - v[1]) * 50 / m) : "") \
		(ratios ? sprintf(" (%.2f)", median(ratio, ratios)) : "")
}
function fields(line,    i, text) {
	text = kind[line] "\t" server[line] "\t" point[line]
	for (i = 1; i <= columns; i++)
		text = text "\t" cell(line, i)
	return text
}
END {
	for (line = 1; plain && line <= lines; line++)
		print fields(line)
	if (plain)
		exit
	head = "| server |"; rule = "| --- |"
	for (i = 1; i <= columns; i++) {
		t = name[i]
		gsub(/_/, " ", t)
		head = head " " t " |"; rule = rule " ---: |"
	}
	print head "\n" rule
	for (line = 1; line <= lines; line++) {
		text = "| " server[line] (point[line] == "-" ? "" : ", " point[line]) " |"
		for (i = 1; i <= columns; i++)
			text = text " " cell(line, i) " |"
		print text
	}
}
