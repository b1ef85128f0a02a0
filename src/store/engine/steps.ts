/** Where a test may stop the engine's work: the steps between which a crash must not matter. The log has its own (`WalPoint`). */

/**
 * `commit`: a transaction of `store.db` is complete but not committed; `committed`: it is, and memory does not know yet. Both with what it is
 * for. `checkpoint`, `checkpointed`: around moving SQLite's log into `store.db`. `frozen`: windows are taken out to be sealed; `release`,
 * `released`: around giving back segments of the log. `file:…`: a day file has been written beside its place, is on the disk, has its name, and
 * its name is on the disk. `discard`, `discarded`: around removing a file that nothing points to any more.
 */
export type EngineStep =
  | 'commit'
  | 'committed'
  | 'checkpoint'
  | 'checkpointed'
  | 'frozen'
  | 'release'
  | 'released'
  | 'file:written'
  | 'file:synced'
  | 'file:renamed'
  | 'file:placed'
  | 'discard'
  | 'discarded';

/** Called at each step with what it is about; what it throws counts as the step's failure. */
export type EngineHook = (step: EngineStep, what: string) => void;
