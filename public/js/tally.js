// The table of counts: one row for each name, in the server's order.

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @param {object} options
 * @param {HTMLTableElement} options.table
 * @param {HTMLElement} options.total
 * @param {HTMLTemplateElement} options.template of a row
 * @param {(name: string) => void} options.onPick
 * @param {(name: string, count: number) => void} options.onChange a count that was on the screen has risen
 */
export function createTally({ table, total, template, onPick, onChange }) {
	/** The highest count seen of each name: messages that crossed on the way never turn a count back. */
	const counts = new Map();
	/** What the table shows, by name and in its order. */
	let rows = new Map();

	function newRow(name) {
		const row = template.content.cloneNode(true).firstElementChild;
		row.dataset.selection = name;
		row.querySelector(".name").textContent = name;
		const button = row.querySelector("button");
		button.title = name;
		button.addEventListener("click", () => onPick(name));
		const count = row.querySelector(".count");
		count.textContent = counts.get(name);
		return { row, count, bar: row.querySelector(".bar"), meter: row.querySelector("meter") };
	}

	function raise({ name, count }) {
		counts.set(name, Math.max(count, counts.get(name) ?? 0));
	}

	function show() {
		const sum = [...rows.keys()].reduce((sum, name) => sum + counts.get(name), 0);
		total.textContent = sum;
		for (const [name, { count, bar, meter }] of rows) {
			const percent = sum === 0 ? 0 : (100 * counts.get(name)) / sum;
			meter.value = Math.round(percent);
			bar.style.setProperty("--percent", percent);
			bar.style.setProperty("--whole-percent", Math.round(percent));
			if (count.textContent === String(counts.get(name))) continue;
			count.textContent = counts.get(name);
			if (!calm.matches) count.animate({ transform: ["scale(1.2)", "none"] }, 250);
			onChange(name, counts.get(name));
		}
	}

	return {
		/** Every name there is, in order. */
		list: selections => {
			selections.forEach(raise);
			const names = selections.map(({ name }) => name);
			if (names.join("\n") !== [...rows.keys()].join("\n")) {
				rows = new Map(names.map(name => [name, rows.get(name) ?? newRow(name)]));
				table.tBodies[0].replaceChildren(...Array.from(rows.values(), ({ row }) => row));
			}
			show();
		},
		/** News of one name. */
		update: selection => {
			raise(selection);
			show();
		}
	};
}
