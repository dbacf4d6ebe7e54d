// The blocks of rows in the form of a new show.

const FIRST = [
	{ from: "A", to: "D", seats: "14", category: "stalls", price: "45.00" },
	{ from: "E", to: "M", seats: "18", category: "circle", price: "28.00" }
];
const FIELDS = ["from", "to", "seats", "category", "price"];

/**
 * @param {object} options
 * @param {HTMLElement} options.list
 * @param {HTMLTemplateElement} options.template
 * @param {HTMLButtonElement} options.add
 * @param {() => void} options.onChange
 */
export function createPlanBlocks({ list, template, add, onChange }) {
	const inputOf = (block, name) => block.querySelector(`[name=${name}]`);
	const all = () => [...list.children];

	function append(values) {
		const block = template.content.cloneNode(true).firstElementChild;
		for (const name of FIELDS) inputOf(block, name).value = values[name] ?? "";
		block.querySelector(".remove").addEventListener("click", () => {
			// The last block stays: a show has seats.
			if (all().length === 1) return;
			block.remove();
			add.focus();
			onChange();
		});
		list.append(block);
		return block;
	}

	add.addEventListener("click", () => {
		const seats = all().length > 0 ? inputOf(all().at(-1), "seats").value : "";
		inputOf(append({ seats }), "from").focus();
		onChange();
	});
	list.addEventListener("input", onChange);
	for (const values of FIRST) append(values);

	return {
		/** As typed. */
		values: () => all().map(block => Object.fromEntries(FIELDS.map(name => [name, inputOf(block, name).value]))),
		/** Shows what is wrong with each block; moves the focus to the first wrong one if asked to. */
		showProblems: (problems, isToFocus) => {
			for (const [n, block] of all().entries()) block.querySelector("[role=alert]").textContent = problems[n];
			const wrong = all()[problems.findIndex(problem => problem !== "")];
			if (wrong && isToFocus) inputOf(wrong, "from").focus();
		}
	};
}
