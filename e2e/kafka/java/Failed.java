/** A record for which a step has no result: an absent field, a wrong type, an overflow. Carries what the pipeline does with it. */
final class Failed extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** {@code fail} or {@code continue}; null where the place alone is known. */
    final String policy;

    Failed(final String message) {
        this(message, null);
    }

    private Failed(final String message, final String policy) {
        super(message, null, false, false);
        this.policy = policy;
    }

    Failed in(final String pipelinePolicy) {
        return new Failed(getMessage(), pipelinePolicy);
    }
}
