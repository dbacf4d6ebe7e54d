// The entry point of a node; runtime/start.ts is a link to it. It is JavaScript, so that a Node that cannot run TypeScript prints what to do.
if (!process.features.typescript) {
	console.error(`Node ${process.version} cannot run TypeScript: use npm start, which runs the Node that npm ci has installed`);
	process.exit(1);
}
await import("./main.ts");
