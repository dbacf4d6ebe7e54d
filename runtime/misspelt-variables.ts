// Environment variables that are probably misspelt: without a warning, HTTP_PROT=9000 would silently start Plaza on its default port.
import { variables } from "./variables.ts";

/**
 * The number of single letters to insert, delete or replace between two names; two exchanged neighbours count as one (optimal string alignment,
 * https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance).
 */
function editDistance(one: string, other: string): number {
	const rows = [Array.from({ length: other.length + 1 }, (_, j) => j)];
	for (let i = 1; i <= one.length; i++) {
		const row = [i];
		for (let j = 1; j <= other.length; j++) {
			const replaced = rows[i - 1]![j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
			row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced);
			if (one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
		}
		rows.push(row);
	}
	return rows[one.length]![other.length]!;
}

/** Short names resemble many others: PORT and POST differ from HOST in two letters. */
const mostEdits = (name: string) => (name.length < 8 ? 1 : 2);

/** The variable of Plaza that a name is closest to; undefined if none is close, or if the name is one of them. */
function variableLike(name: string): string | undefined {
	if (name in variables) return undefined;
	const close = Object.keys(variables)
		.filter(own => Math.abs(own.length - name.length) <= mostEdits(own))
		.map(own => ({ own, edits: editDistance(name, own) }))
		.filter(({ own, edits }) => edits <= mostEdits(own));
	return close.sort((a, b) => a.edits - b.edits)[0]?.own;
}

/** Warnings for the variables of the environment that are probably misspelt: name → one line with it and the variable that is probably meant. */
export const misspeltVariables = (env: NodeJS.ProcessEnv): Map<string, string> =>
	new Map(
		Object.keys(env).flatMap(name => {
			const meant = variableLike(name);
			return meant ? [[name, `${name} is not a variable of Plaza and has no effect: is ${meant} meant?`] as const] : [];
		})
	);
