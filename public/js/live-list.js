// A list that is loaded over HTTP on every connection and changed by events. Events that arrive while it loads are applied after it.
import { untilAnswered } from "./retry.js";

const PAGE = 200;

/**
 * Loads a list page by page, until it has `wanted` items or there are no more.
 * @param {(path: string) => Promise<object[]>} get
 * @param {string} path with a query
 * @param {(item: object) => string} idOf
 * @param {number} wanted
 * @param {string} [after] the id of the item to start after
 */
export async function readList(get, path, idOf, wanted, after) {
	const items = [];
	for (;;) {
		const from = items.length > 0 ? idOf(items.at(-1)) : after;
		const page = await get(`${path}limit=${PAGE}${from === undefined ? "" : `&after=${encodeURIComponent(from)}`}`);
		items.push(...page);
		if (page.length < PAGE || items.length >= wanted) return { items, hasMore: page.length === PAGE };
	}
}

/**
 * @template Answer
 * @param {object} options
 * @param {() => Promise<Answer>} options.read rejects with `Unavailable` if it can be retried
 * @param {(answer: Answer) => void} options.show
 * @param {(message: string) => void} options.showProblem
 */
export function createLiveList({ read, show, showProblem }) {
	let reading;
	const pendingChanges = [];

	return {
		readAgain: async () => {
			reading?.abort();
			const mine = new AbortController();
			reading = mine;
			let problem = "";
			try {
				const answer = await untilAnswered(read, mine.signal);
				show(answer);
			} catch (error) {
				if (mine.signal.aborted) return;
				problem = error.message;
			}
			showProblem(problem);
			reading = undefined;
			for (const change of pendingChanges.splice(0)) change();
		},
		apply: change => {
			if (reading) pendingChanges.push(change);
			else change();
		},
		close: () => reading?.abort()
	};
}
