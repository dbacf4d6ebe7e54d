// Orders a minute as bars, by uPlot: https://github.com/leeoniya/uPlot
import uPlot from "/vendor/uplot.js";

const HEIGHT_PX = 160;
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @param {HTMLElement} box its aria-label describes the bars */
export function createChart(box) {
	const colour = name => () => getComputedStyle(box).getPropertyValue(name);
	const [quiet, line] = [colour("color"), colour("border-color")];
	const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
	const chart = new uPlot(
		{
			width: Math.max(box.clientWidth, 1),
			height: HEIGHT_PX,
			legend: { show: false },
			cursor: { show: false },
			scales: { y: { range: (_chart, _least, most) => [0, Math.max(5, most ?? 0)] } },
			axes: [
				{ ...axis, space: 70, values: [[60, "{HH}:{mm}"]] },
				{ ...axis, size: 44, space: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] }
			],
			series: [
				{},
				{ fill: colour("accent-color"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 20] }) }
			]
		},
		[[], []],
		box
	);
	new ResizeObserver(() => {
		if (box.clientWidth > 0) chart.setSize({ width: box.clientWidth, height: HEIGHT_PX });
	}).observe(box);
	dark.addEventListener("change", () => chart.redraw());

	/** @param {{ at: string, orders: number }[]} minutes the oldest first */
	return minutes => {
		const counts = minutes.map(({ orders }) => orders);
		const sum = counts.reduce((all, one) => all + one, 0);
		box.setAttribute("aria-label", `orders a minute, in the last hour: ${sum} in all, ${counts.at(-1)} in this minute`);
		chart.setData([minutes.map(({ at }) => Date.parse(at) / 1000), counts]);
	};
}
