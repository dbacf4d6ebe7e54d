/** Files and connections that the process itself needs: the database's files, the servers, the logs. */
const RESERVED = 2_048;

/** How many files and connections this process may have open at once (`ulimit -n`); Infinity where there is no such limit. */
export function openFilesLimit(): number {
	// Without the network the report is quick: it would look up the host names of open connections.
	const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
	report.excludeNetwork = true;
	const { userLimits } = report.getReport() as { userLimits?: { open_files: { soft: number | "unlimited" } } };
	const soft = userLimits?.open_files.soft;
	return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
}

/** The connections that clients may have open at once, so that the process itself never lacks a file descriptor. */
export const maxConnections = (limit = openFilesLimit()) => Math.ceil(Math.max(limit / 2, limit - RESERVED));
