#!/bin/sh
# Compares what a pull or merge request would change: its merge base and its head are
# built and measured by floodgate bench, and the result is told where the change is
# discussed. action.yml and gitlab.yml call it; it runs by hand as well.
#
#   compare.sh           measure, then publish; exits with the decision
#   compare.sh measure   measure only; exits with the decision
#   compare.sh publish   write or update the comment about what was measured
#
# How the server is built and started, floodgate.yaml says (floodgate init). What
# else it is told, all optional but the base, by the environment:
#
#   FLOODGATE_BASE        branch or commit to compare with (default: of the request)
#   FLOODGATE_HEAD        commit to judge (default: HEAD)
#   FLOODGATE_OPTIONS     options of both variants, such as reader=decoupled,GOGC=50
#   FLOODGATE_SCENARIOS   names or files, separated by blanks (those of floodgate.yaml,
#                         or else the default suite)
#   FLOODGATE_REPLICATES  pairs per scenario (that of floodgate.yaml, or else each
#                         scenario's own number)
#   FLOODGATE_FLAGS       more flags of floodgate bench, separated by blanks, such as
#                         --target mine --target-dir ci/targets
#   FLOODGATE_OUT         folder for records and reports (out)
#   FLOODGATE             the program (bin/floodgate, or else floodgate of the PATH)
#   FLOODGATE_KEY         tells the comments of several comparisons apart
#   FLOODGATE_TOKEN       may write comments; without it there is none
#   FLOODGATE_AUTHOR      who the token is (github-actions[bot]; on GitLab it is asked)
#
# Exit codes are those of floodgate: 0 pass, 1 regressed or a gate failed, 2 a
# mistake in the call, 3 could not be measured, 130 interrupted.
set -eu

options=${FLOODGATE_OPTIONS:+:$FLOODGATE_OPTIONS}
out=${FLOODGATE_OUT:-out}
head=${FLOODGATE_HEAD:-HEAD}
marker="<!-- floodgate${FLOODGATE_KEY:+:$FLOODGATE_KEY} -->"
footer='' bench=''

# github and gitlab say where this runs.
github() { [ "${GITHUB_ACTIONS:-}" = true ]; }
gitlab() { [ "${GITLAB_CI:-}" = true ]; }

say() { echo "compare.sh: $*" >&2; }

need() {
	for program; do
		command -v "$program" >/dev/null || { say "cannot go on without $program: install it"; exit 2; }
	done
}

# default_base is what the request asks to be merged into.
default_base() {
	if github && [ -n "${GITHUB_BASE_REF:-}" ]; then
		echo "origin/$GITHUB_BASE_REF"
	elif gitlab; then
		echo "${CI_MERGE_REQUEST_DIFF_BASE_SHA:-}"
	fi
}

# longest is how much text a comment may have; in bytes, which are never fewer than
# the characters that both systems count.
longest() { if gitlab; then echo 1000000; else echo 65536; fi; }

# fit LIMIT copies lines until the next would not fit into so many bytes.
fit() {
	LC_ALL=C awk -v room=$(($1 - 100)) '
		{ room -= length($0) + 1 }
		room < 0 { print "\n_Cut to fit a comment. The HTML report has everything._"; exit }
		{ print }'
}

# compose writes the comment: the report if there is one, or else the text given.
compose() {
	{
		echo "$marker"
		# The report's own first line is the marker without a key.
		if [ -s "$out/report.md" ]; then tail -n +2 "$out/report.md"; else printf '## ❔ Floodgate: not compared\n\n%s\n' "$1"; fi |
			fit $(($(longest) - ${#marker} - ${#footer} - 10))
		printf '\n%s\n' "$footer"
	} >"$out/comment.md"
}

# annotate CODE TEXT shows one line beside the change, where the system can.
annotate() {
	level=error
	if [ "$1" -eq 0 ]; then level=notice; fi
	if github; then
		printf '::%s title=floodgate::%s\n' "$level" "$(printf '%s' "$2" | sed 's/%/%25/g' | awk 'NR > 1 { printf "%%0A" } { printf "%s", $0 }')"
	else
		say "$2"
	fi
}

# finish CODE TEXT tells the result everywhere but in the comment, and ends.
finish() {
	compose "$2"
	outcome=unmeasured text=$2
	if [ -s "$out/report.json" ]; then
		outcome=$(jq -r .decision.outcome "$out/report.json")
		text=$(jq -r '.decision.reasons | join("\n")' "$out/report.json")
	fi
	annotate "$1" "$text"
	if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat "$out/comment.md" >>"$GITHUB_STEP_SUMMARY"; fi
	if [ -n "${GITHUB_OUTPUT:-}" ]; then
		printf 'exit-code=%s\ndecision=%s\nreport=%s\n' "$1" "$outcome" "$out/report.html" >>"$GITHUB_OUTPUT"
	fi
	exit "$1"
}

# cleanup ends what is running: floodgate leaves nothing behind.
cleanup() {
	if [ -n "$bench" ] && kill -TERM "$bench" 2>/dev/null; then wait "$bench" || :; fi
}

measure() {
	need git jq awk
	unset FLOODGATE_TOKEN # nothing that is built or measured has use for it
	mkdir -p "$out"
	# Whatever ends early must not be told by an earlier run's reports.
	rm -f "$out/report.md" "$out/report.json" "$out/report.html" "$out/junit.xml" "$out/comment.md"
	if github && [ -n "${GITHUB_RUN_ID:-}" ]; then
		footer="[This run and its HTML report](${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID)"
	elif gitlab && [ -n "${CI_JOB_URL:-}" ]; then
		footer="[The HTML report]($CI_JOB_URL/artifacts/file/$out/report.html)"
	fi
	base=${FLOODGATE_BASE:-$(default_base)}
	if [ -z "$base" ]; then finish 2 "There is nothing to compare with: set FLOODGATE_BASE to a branch or a commit."; fi
	candidate=$(git rev-parse --verify --quiet "$head^{commit}") || finish 2 "There is no commit \`$head\`."
	baseline=$(git merge-base "$base" "$candidate") ||
		finish 2 "\`$base\` and \`$head\` have no commit in common here: fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0)."
	if [ "$baseline" = "$candidate" ]; then finish 2 "\`$base\` has all of \`$head\`: there is nothing to compare."; fi
	footer="<sub>Baseline $baseline, candidate $candidate.</sub> $footer"

	program=${FLOODGATE:-bin/floodgate}
	if [ -z "${FLOODGATE:-}" ] && [ ! -x "$program" ]; then program=floodgate; fi
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	code=0
	# In the background, so that a signal reaches it: a shell hears none until what
	# it runs has ended. Lists of words are meant to be split.
	# shellcheck disable=SC2086
	"$program" bench ${FLOODGATE_SCENARIOS:-} --baseline "git:$baseline$options" --candidate "git:$candidate$options" \
		${FLOODGATE_REPLICATES:+--replicates "$FLOODGATE_REPLICATES"} --out "$out" ${FLOODGATE_FLAGS:-} &
	bench=$!
	wait "$bench" || code=$?
	bench=''
	finish "$code" "Floodgate ended with exit code $code before there was a report; the log of this run says why."
}

# api METHOD URL [FILE] asks the forge, with a body of JSON if there is one. The
# token does not become an argument, which other processes could read.
api() {
	{
		printf 'header = "%s%s"\n' "$auth" "$FLOODGATE_TOKEN"
		if [ $# -gt 2 ]; then printf 'header = "Content-Type: application/json"\ndata-binary = "@%s"\n' "$3"; fi
		# A comment that was written, and not acknowledged, must not be written again.
		if [ "$1" != POST ]; then printf 'retry = 3\n'; fi
	} | curl --config - --silent --show-error --fail --connect-timeout 10 --max-time 60 --request "$1" "$2"
}

# existing LIST WHO NAME prints the id of our comment in a list of pages, if it is
# there. WHO and NAME are where a comment has its author.
existing() {
	page=1
	while [ "$page" -le 100 ]; do
		api GET "$1?per_page=100&page=$page" >"$scratch/page" || return 1
		jq -r --arg marker "$marker" --arg author "$author" --arg who "$2" --arg name "$3" \
			'[.[] | select((.body | startswith($marker)) and .[$who][$name] == $author)][0].id // empty' \
			"$scratch/page" >"$scratch/id" || return 1
		if [ -s "$scratch/id" ]; then
			cat "$scratch/id"
			return
		fi
		[ "$(jq length "$scratch/page")" -eq 100 ] || return 0
		page=$((page + 1))
	done
}

# comment LIST ITEMS METHOD WHO NAME updates our comment, or writes it.
comment() {
	jq -n --rawfile body "$out/comment.md" '{body: $body}' >"$scratch/body" || return 1
	id=$(existing "$1" "$4" "$5") || return 1
	if [ -n "$id" ]; then
		api "$3" "$2/$id" "$scratch/body" >/dev/null || return 1
		say "the comment $id was updated"
	else
		api POST "$1" "$scratch/body" >/dev/null || return 1
		say "a comment was written"
	fi
}

publish() {
	need curl jq
	if [ ! -s "$out/comment.md" ]; then say "there is nothing to publish in $out"; return 0; fi
	if [ -z "${FLOODGATE_TOKEN:-}" ]; then say "no comment: FLOODGATE_TOKEN is empty"; return 0; fi
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	author=${FLOODGATE_AUTHOR:-}
	if github; then
		request=$(jq -r '.pull_request.number // empty' "$GITHUB_EVENT_PATH")
		auth='Authorization: Bearer ' author=${author:-github-actions[bot]}
		issues="$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues"
		set -- "$issues/$request/comments" "$issues/comments" PATCH user login
	elif gitlab; then
		request=${CI_MERGE_REQUEST_IID:-}
		auth='PRIVATE-TOKEN: '
		if [ -z "$author" ]; then author=$(api GET "$CI_API_V4_URL/user" | jq -r '.username // empty'); fi
		# Without it our comment would not be found, and written again.
		if [ -z "$author" ]; then return 1; fi
		notes="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$request/notes"
		set -- "$notes" "$notes" PUT author username
	else
		say "no comment: this is neither GitHub nor GitLab"
		return 0
	fi
	if [ -z "$request" ]; then say "no comment: this is no pull or merge request"; return 0; fi
	comment "$@"
}

# tell publishes. A comment that cannot be written, as from a fork, changes nothing
# about the decision.
tell() {
	if ! (publish); then
		if github; then echo "::warning title=floodgate::The comment cannot be written; the summary of the run has the report."; fi
		say "the comment cannot be written; $out/comment.md has it"
	fi
}

case ${1:-} in
measure) measure ;;
publish) tell ;;
'')
	# A process of its own, which a signal reaches too.
	(
		unset FLOODGATE_TOKEN
		exec sh "$0" measure
	) &
	child=$!
	trap 'kill -TERM "$child" 2>/dev/null || :' INT TERM
	code=0
	wait "$child" || code=$?
	while kill -0 "$child" 2>/dev/null; do # a signal ended the wait
		code=0
		wait "$child" || code=$?
	done
	if [ "$code" -ne 130 ]; then tell; fi
	exit "$code"
	;;
*)
	say "unknown argument $1: want measure, publish or nothing"
	exit 2
	;;
esac
