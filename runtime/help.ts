/** Prints the help and ends the process with 0 if its arguments ask for it. */
export function printHelpIfAsked(help: string): void {
	if (!process.argv.slice(2).some(argument => argument === "--help" || argument === "-h")) return;
	console.log(help);
	process.exit(0);
}
