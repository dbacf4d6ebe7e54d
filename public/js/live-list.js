// A list that is read over HTTP, again on every connection, and moved by what is told in between. What is told while it is read counts after it.
import { untilAnswered } from "./retry.js";

const PAGE = 200;

/**
 * Reads a list from its beginning, page by page, until there are as many as wanted, or no more.
 * @param {(path: string) => Promise<object[]>} get
 * @param {string} path with a query
 * @param {(item: object) => string} idOf
 * @param {number} wanted
 * @param {string} [after] the id of the one after which to begin
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
 * @param {() => Promise<Answer>} options.read rejects with `Unavailable` where it may be tried again
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
		tell: change => {
			if (reading) pendingChanges.push(change);
			else change();
		},
		close: () => reading?.abort()
	};
}
