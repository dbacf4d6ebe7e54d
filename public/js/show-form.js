// The form that makes a show, with a preview that follows what is typed.
import { makeSvg } from "./element.js";
import { createFormErrors, sentence } from "./form-errors.js";
import { createPlanBlocks } from "./plan-blocks.js";
import { Refused } from "./retry.js";
import { drawHall } from "./seat-drawing.js";
import { layoutOf } from "./seat-layout.js";
import { categoriesOf } from "./seat-store.js";
import { seatsText } from "./seat-words.js";
import { planOf } from "./show-plan.js";

const UNREACHABLE = "Plaza cannot be reached right now. What you typed is still here: try again in a moment.";
const PREVIEW_AFTER_MS = 200;

const momentOf = text => (text === "" || Number.isNaN(Date.parse(text)) ? undefined : new Date(text).toISOString());

/**
 * @param {object} options
 * @param {HTMLFormElement} options.form
 * @param {HTMLElement} options.preview
 * @param {HTMLElement} options.previewText
 * @param {Omit<Parameters<typeof createPlanBlocks>[0], "onChange">} options.blocks
 * @param {(show: object) => Promise<void>} options.add rejects with `Refused` or `Unavailable`
 */
export function createShowForm({ form, preview, previewText, blocks: blockElements, add }) {
	// Before the blocks are there: they show their problems themselves.
	const errors = createFormErrors(form);
	const problem = form.querySelector("#plan-problem");
	const button = form.querySelector("[type=submit]");
	const root = makeSvg("svg", { class: "seats", role: "img" });
	preview.append(root);
	let timer;

	function showPreview() {
		const { seats, problems } = planOf(blocks.values());
		blocks.showProblems(problems);
		const categories = categoriesOf(seats);
		const categoryBySeat = new Map(seats.map(({ seat, category }) => [seat, categories.get(category).number]));
		drawHall(root, layoutOf(seats), name => categoryBySeat.get(name));
		const rows = new Set(seats.map(({ row }) => row)).size;
		previewText.textContent = `${seatsText(seats.length)} in ${rows === 1 ? "1 row" : `${rows} rows`}: ${[...categories.keys()].join(", ")}`;
		root.setAttribute("aria-label", `preview: ${previewText.textContent}`);
	}

	const blocks = createPlanBlocks({
		...blockElements,
		onChange: () => {
			clearTimeout(timer);
			timer = setTimeout(showPreview, PREVIEW_AFTER_MS);
		}
	});
	showPreview();

	/** The typed show; undefined if it is not valid. */
	function read() {
		const { name, startsAt, opensAt, admitPerSecond } = Object.fromEntries(
			["name", "startsAt", "opensAt", "admitPerSecond"].map(field => [field, form.elements[field].value.trim()])
		);
		const hasQueue = opensAt !== "";
		const perSecond = Number(admitPerSecond.replace(",", "."));
		// The value of a date without a time is empty.
		const isWrong = ({ value, validity }) => validity.badInput || (value !== "" && !momentOf(value));
		const wrong = [
			...["startsAt", "opensAt"]
				.filter(field => isWrong(form.elements[field]))
				.map(field => ({ field, message: "enter a date and a time" })),
			...(hasQueue && !(perSecond > 0) ? [{ field: "admitPerSecond", message: "enter a number above 0" }] : [])
		];
		// All at once; a date without a time is not reported as empty.
		if ([errors.showEmpty(), errors.show(wrong)].includes(true)) return undefined;
		const { seats, problems } = planOf(blocks.values());
		blocks.showProblems(problems, true);
		if (problems.some(text => text !== "")) return undefined;
		return {
			name,
			startsAt: momentOf(startsAt),
			seats,
			...(hasQueue && { queue: { opensAt: momentOf(opensAt), admitPerSecond: perSecond } })
		};
	}

	async function send(show) {
		button.setAttribute("aria-disabled", "true");
		try {
			await add(show);
			form.elements.name.value = "";
		} catch (error) {
			const fields = (error.fieldErrors ?? []).map(({ field, message }) => ({ field: field?.replace("queue.", ""), message }));
			if (!(error instanceof Refused)) problem.textContent = UNREACHABLE;
			else if (!errors.show(fields)) problem.textContent = sentence(error.message);
		} finally {
			button.removeAttribute("aria-disabled");
		}
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		if (button.getAttribute("aria-disabled") === "true") return;
		problem.textContent = "";
		errors.clear();
		const show = read();
		if (show) void send(show);
	});
}
