// The entry of a node, in JavaScript and also under the name start.ts: a Node that cannot run TypeScript can still say so.
if (!process.features.typescript) {
	console.error(`Node ${process.version} cannot run TypeScript: use npm start, which brings a Node that can`);
	process.exit(1);
}
await import("./main.ts");
