#include "launch.hpp"

#include "observer.hpp"

namespace emulator {

void Launch::report(const Finding& finding) {
    std::lock_guard<std::mutex> hold(lock);
    for (Finding& known : findings) {
        if (known.kind == finding.kind && known.here.site == finding.here.site && known.there.site == finding.there.site &&
            known.here.access == finding.here.access && known.there.access == finding.there.access) {
            known.count++;
            return;
        }
    }
    if (findings.size() == MOST_FINDINGS) return;
    findings.push_back(finding);
    findings.back().count = 1;
}

void Launch::fail(const Finding& finding) {
    report(finding);
    failed = true;
}

}  // namespace emulator
