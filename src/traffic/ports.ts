/** What one process counted for a key since it last said so. */
export interface TrafficShare {
  readonly key: string;
  readonly requests: number;
  readonly bytes: number;
  /** Under way in that process now. */
  readonly streams: number;
}

/** What all processes counted for a key. */
export interface TrafficTotal {
  readonly key: string;
  readonly requests: number;
  readonly bytes: number;
  /** Under way in all other processes. */
  readonly streams: number;
  /** Until the window of requests and bytes ends, in milliseconds. */
  readonly endsInMs: number;
}

/** Port: the common count of the processes of a node. In the housekeeping process; a proxy in workers. */
export interface TrafficCounts {
  /** @param process by its name; what it says of streams replaces what it said before. */
  share(process: string, counted: readonly TrafficShare[]): Promise<readonly TrafficTotal[]>;
}
