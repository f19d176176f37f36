"""What a report in Korean says of a network's cost and of limits, in the order of costs_en.py."""

from __future__ import annotations

COSTS = {
    "best_size_macs": "{network}(매개변수 {parameters}개, 이미지 한 장에 곱셈-덧셈 {macs}번)",
    "reason_too_slow": "이미지 한 장을 처리하는 시간이 제한보다 길었다.",
}
