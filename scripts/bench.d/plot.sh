# shellcheck shell=sh
# plot.sh: a picture of a row. Sourced by scripts/bench.

# plot ROW TITLE FIGURES MEDIANS SVG: a panel for each figure; MEDIANS is what table.awk prints with plain=1
plot() {
	panels=$(echo "$3" | wc -w)
	{
		echo "set terminal svg size $((panels * 420)),400 noenhanced; set output '$5'"
		echo "set multiplot layout 1,$panels title \"$1: $2\""
		echo "set key left top; set style fill solid 0.5; set boxwidth 0.7"
		column=3
		for figure in $3; do
			column=$((column + 1))
			echo "set title \"$(echo "$figure" | tr _ ' ')\""
			if grep -q '	-	' "$4"; then
				echo "set xtics rotate by -45; set yrange [0:*]; unset key"
				echo "plot '$4' using $column:xtic(2) with boxes"
			else
				echo "set logscale x; set yrange [0:*]"
				printf 'plot '
				cut -f 2 "$4" | sort -u | while read -r server; do
					printf "'< grep \"\t%s\t\" %s' using 3:%s with linespoints title '%s', " "$server" "$4" "$column" "$server"
				done
				echo '1/0 notitle'
			fi
		done
	} >"$dir/plot"
	gnuplot "$dir/plot" 2>"$dir/plot.err" || echo "bench: $1: no picture: $(tail -n 1 "$dir/plot.err")" >&2
}
