// The table of counts: one row for each name, in the server's order.

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @param {object} options
 * @param {HTMLTableElement} options.table
 * @param {HTMLElement} options.total
 * @param {HTMLTemplateElement} options.template the template of a row
 * @param {(name: string) => void} options.onPick
 * @param {(name: string, count: number) => void} options.onChange a displayed count has risen
 */
export function createTally({ table, total, template, onPick, onChange }) {
	/** The highest count seen of each name: messages that arrive out of order never lower a count. */
	const counts = new Map();
	/** The rows by name, in display order. */
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
			if (!reducedMotion.matches) count.animate({ transform: ["scale(1.2)", "none"] }, 250);
			onChange(name, counts.get(name));
		}
	}

	return {
		/** Applies the list of all names, in order. */
		list: selections => {
			selections.forEach(raise);
			const names = selections.map(({ name }) => name);
			if (names.join("\n") !== [...rows.keys()].join("\n")) {
				rows = new Map(names.map(name => [name, rows.get(name) ?? newRow(name)]));
				table.tBodies[0].replaceChildren(...Array.from(rows.values(), ({ row }) => row));
			}
			show();
		},
		/** Applies the count of one name. */
		update: selection => {
			raise(selection);
			show();
		}
	};
}
